package sdp

// A Direction is which way a section's media flows, as its sender sees it
// (RFC 8866, Section 6.7): two bits, so that what two peers agree on is
// theirs & ours.
type Direction uint8

// The directions.
const (
	Inactive Direction = 0
	SendOnly Direction = 1
	RecvOnly Direction = 2
	SendRecv Direction = SendOnly | RecvOnly
)

var directions = [...]Attribute{Inactive: "inactive", SendOnly: "sendonly", RecvOnly: "recvonly", SendRecv: "sendrecv"}

func (d Direction) String() string { return string(d.Attribute()) }

// Attribute is the attribute of a direction, which is its name alone.
func (d Direction) Attribute() Attribute { return directions[d&SendRecv] }

// Reverse is the same direction as the other peer sees it.
func (d Direction) Reverse() Direction { return d&SendOnly<<1 | d&RecvOnly>>1 }

// Direction is the section's direction, or the session's, or "sendrecv", which
// holds where nothing is said.
func (s *Session) Direction(m *Media) Direction {
	if m != nil {
		if d, ok := m.direction(); ok {
			return d
		}
	}
	if d, ok := s.direction(); ok {
		return d
	}
	return SendRecv
}

func (as Attributes) direction() (Direction, bool) {
	for _, a := range as {
		if d, ok := directionOf(string(a)); ok {
			return d, true
		}
	}
	return SendRecv, false
}

func directionOf(word string) (Direction, bool) {
	for d, name := range directions {
		if word == string(name) {
			return Direction(d), true
		}
	}
	return SendRecv, false
}
