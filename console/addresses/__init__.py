"""Whose address is it: subnets, holders, leaks and what is free. Pure: values in, values out."""
