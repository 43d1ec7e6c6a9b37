// Package ipvs says which virtual services are wanted in the kernel's load
// balancer, reads which are there, and makes the difference.
//
//	want []Service --+
//	                 +--> Plan --> []Op --> Kernel.Do
//	have []Service --+                          |
//	      ^------------- Kernel.Dump <----------+
//
// Plan and the types are pure: they neither read nor change anything. Kernel
// talks generic netlink to the ip_vs module. The package never decides which
// servers are alive: that is package checker's business. It is used by checkd
// for services and by vrrpd for the synchronisation daemon alone.
package ipvs
