"""What a snapshot shows that an operator should know: one module for each kind of finding."""
