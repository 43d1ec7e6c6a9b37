package main

import (
	"github.com/keepalived-go/keepalived/internal/bfdd"
	"github.com/keepalived-go/keepalived/internal/checkd"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/vrrpd"
)

// childMain is what each role runs.
var childMain = map[string]func(process.Child) int{
	process.RoleVRRP:    vrrpd.Main,
	process.RoleChecker: checkd.Main,
	process.RoleBFD:     bfdd.Main,
}
