package checker

// tcpDialog is TCP_CHECK: a connection that opens is enough. It is closed at
// once, without a byte.
type tcpDialog struct{}

func (tcpDialog) opened(*Result) ([]byte, bool)      { return nil, true }
func (tcpDialog) got([]byte, *Result) ([]byte, bool) { return nil, true }
func (tcpDialog) silence(r *Result)                  { r.Reason = ReadTimeout }
