"""The safety net before a batch of deploys: reads, decides, and acts only when it must and may."""
