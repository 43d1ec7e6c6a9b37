// Command keepalived is the daemon: the watchdog parent and, started again by
// it with a role in the environment, its VRRP, checker and BFD children.
package main

func main() {}
