package checker

import "math"

// fileVerdict is what the number in a tracked file means to a FILE_CHECK: what
// it adds to the weight, and whether the server is up at all.
func fileVerdict(c *FileCheck, value int64) (weight int64, up bool) {
	if c.Weight == 0 {
		// With weight 0 the file is a switch: not 0 is down, reversed 0 is down.
		return 0, (value == 0) != c.Reverse
	}
	value = min(max(value, math.MinInt32), -math.MinInt32)
	x := value * int64(c.Weight)
	if c.Reverse {
		x = -x
	}
	x = min(max(x, math.MinInt32), math.MaxInt32)
	if x == math.MinInt32 {
		return 0, false
	}
	return x, true
}
