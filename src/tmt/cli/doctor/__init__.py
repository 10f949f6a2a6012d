"""`tmt doctor`: what it checks, by what it looks at."""
