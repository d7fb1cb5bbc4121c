"""The description of the HTTP interface: an OpenAPI 3.1 document, and its page.

Written once, beside the code that it describes: limits, patterns and kinds of problem
are taken from there, and tests hold the rest against the router and real answers.
"""
