"""The same route for weeks, on live traffic: sources in, sayings out."""
