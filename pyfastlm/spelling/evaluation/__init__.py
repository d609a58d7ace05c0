"""How good a corrector is: what it repairs, what it damages, how long it takes, and how sure all that is."""
