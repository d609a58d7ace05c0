"""Documents that tests of ranking ask for."""

DOCUMENTS = {
    "shell": "a hard outer layer of a snail or of a crab",
    "sail": "a large piece of cloth that catches wind and drives a boat",
    "rudder": "a blade under a boat that steers it",
    "violin": "a small instrument with four strings that is played with a bow",
}
