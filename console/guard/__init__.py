"""The safety net before a batch of deploys: looks, decides, and acts only when it must and may."""
