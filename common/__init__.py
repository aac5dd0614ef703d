"""Plain building blocks that every app may use: errors, money, clock, ids, encryption,
principal.
"""
