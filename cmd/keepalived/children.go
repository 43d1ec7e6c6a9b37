package main

import "github.com/keepalived-go/keepalived/internal/process"

// childMain is what each role runs.
var childMain = map[string]func(process.Child) int{}
