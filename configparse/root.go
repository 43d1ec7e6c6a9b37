package configparse

// afterPass are the checks that follow the reading of a pass (grammar.md 14).
var afterPass = [passes]func(*parser){}

// rootBlock are the keywords outside of all blocks.
var rootBlock = block[Config]{}
