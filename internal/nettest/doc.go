// Package nettest gives tests real networks: network namespaces with veth
// pairs and bridges, processes inside them, captured frames, and waiting for
// conditions.
//
// Only tests import it. Everything it makes has a name of its own (prefix
// "nt-", then the test's process id), is removed when the test ends however it
// ends, and what a killed test run left behind is removed by the next one. It
// never touches the initial network namespace and refuses to start a process
// there. Without privilege a test is skipped with the reason.
//
//	lan := nettest.LAN(t, 2)                 // two hosts on one bridge, eth0 each
//	p := lan[0].Start("keepalived", "-n", "-l", "-f", conf)
//	c := lan[1].Capture("eth0")
//	nettest.Eventually(t, 5*time.Second, "a is master", func() bool {
//		return lan[0].HasAddr("10.99.0.100")
//	})
package nettest
