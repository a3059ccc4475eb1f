"""What observations mean. Pure: values in, findings out."""
