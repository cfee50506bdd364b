"""The contracts of Tocsin: messages, value types, taxonomy, geography, clock, disclosure rules and table definitions.

Every other package imports this one; it imports none of them. It holds no settings and no SQL statements.
"""
