package report

import (
	"bytes"
	"fmt"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Stats writes keepalived.stats (process.md 3.4).
func Stats(b *bytes.Buffer, s *vrrp.Snapshot) {
	for i := range s.Instances {
		in := &s.Instances[i]
		st := &in.Stats
		fmt.Fprintf(b, "VRRP Instance: %s\n", in.Name)
		section(b, "Advertisements", counters{{"Received", st.Received}, {"Sent", st.Sent}})
		fmt.Fprintf(b, "  Became master: %d\n", st.BecameMaster)
		fmt.Fprintf(b, "  Released master: %d\n", st.ReleasedMaster)
		section(b, "Packet Errors", counters{
			{"Length", st.PacketLength}, {"TTL", st.PacketTTL}, {"Invalid Type", st.InvalidType},
			{"Advertisement Interval", st.AdvertInterval}, {"Address List", st.AddressList},
		})
		section(b, "Authentication Errors", counters{
			{"Invalid Type", st.AuthInvalidType}, {"Type Mismatch", st.AuthTypeMismatch}, {"Failure", st.AuthFailure},
		})
		section(b, "Authentication Extension Errors", counters{
			{"Missing", st.HMACMissing}, {"Malformed", st.HMACMalformed}, {"Unknown Key", st.HMACUnknownKey},
			{"Invalid HMAC", st.HMACInvalid}, {"Stale", st.HMACStale}, {"Replay", st.HMACReplay},
		})
		section(b, "Priority Zero", counters{{"Received", st.PrioZeroReceived}, {"Sent", st.PrioZeroSent}})
	}
}

type counters []struct {
	name  string
	value uint64
}

func section(b *bytes.Buffer, heading string, list counters) {
	fmt.Fprintf(b, "  %s:\n", heading)
	for _, c := range list {
		fmt.Fprintf(b, "    %s: %d\n", c.name, c.value)
	}
}
