"""What models and errors say about domains: selections, their uncertainty, and what they predict."""
