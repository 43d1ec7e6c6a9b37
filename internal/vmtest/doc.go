// Package vmtest runs tests in a small virtual machine whose kernel has IPVS.
// It is for tests and for the demo.
//
// The machine is Debian's cloud kernel with a root file system in memory:
// busybox, the kernel's network modules, and what the test names. It boots in
// some three seconds, without KVM too, and needs no privilege. The kernel
// package is downloaded and unpacked into a cache folder when it is missing;
// nothing is installed. Where qemu, busybox or the kernel cannot be had, the
// test is skipped and says why.
//
// A package whose tests need IPVS has one test that runs the others inside:
//
//	func TestInVM(t *testing.T)  { vmtest.Rerun(t, "^TestKernel") }
//	func TestKernelDump(t *testing.T) { vmtest.Inside(t); … }
//
// Outside, Inside skips; so `go test` needs one boot per package.
package vmtest
