package stun

import "fmt"

// A Type is a message's type: its method and its class, interleaved on the wire.
//
//	 0                 1
//	 2  3  4 5 6 7 8 9 0 1 2 3 4 5
//	+--+--+-+-+-+-+-+-+-+-+-+-+-+-+
//	|M |M |M|M|M|C|M|M|M|C|M|M|M|M|
//	|11|10|9|8|7|1|6|5|4|0|3|2|1|0|
//	+--+--+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8489, Section 5, Figure 3.
type Type uint16

// A Class is what part a message plays in a transaction.
type Class uint8

// The classes, RFC 8489, Section 5.
const (
	Request         Class = 0b00
	Indication      Class = 0b01
	SuccessResponse Class = 0b10
	ErrorResponse   Class = 0b11
)

// A Method is what is asked for: 12 bits.
type Method uint16

// The methods: Binding of RFC 8489, the others of TURN (RFC 8656, and RFC 6062 for
// its TCP connections).
const (
	Binding          Method = 0x001
	Allocate         Method = 0x003
	Refresh          Method = 0x004
	Send             Method = 0x006
	Data             Method = 0x007
	CreatePermission Method = 0x008
	ChannelBind      Method = 0x009

	Connect           Method = 0x00A
	ConnectionBind    Method = 0x00B
	ConnectionAttempt Method = 0x00C
)

// The types of Binding messages.
const (
	BindingRequest         Type = 0x0001
	BindingIndication      Type = 0x0011
	BindingSuccessResponse Type = 0x0101
	BindingErrorResponse   Type = 0x0111
)

// NewType returns the type of messages of method m and class c.
func NewType(m Method, c Class) Type {
	return Type(m&0xf80)<<2 | Type(m&0x070)<<1 | Type(m&0x00f) | Type(c&2)<<7 | Type(c&1)<<4
}

// Method returns the type's method.
func (t Type) Method() Method {
	return Method(t>>2&0xf80 | t>>1&0x070 | t&0x00f)
}

// Class returns the type's class.
func (t Type) Class() Class { return Class(t>>7&2 | t>>4&1) }

// String returns the type in the RFC's words, such as "Binding success response".
func (t Type) String() string { return t.Method().String() + " " + t.Class().String() }

func (m Method) String() string {
	switch m {
	case Binding:
		return "Binding"
	case Allocate:
		return "Allocate"
	case Refresh:
		return "Refresh"
	case Send:
		return "Send"
	case Data:
		return "Data"
	case CreatePermission:
		return "CreatePermission"
	case ChannelBind:
		return "ChannelBind"
	case Connect:
		return "Connect"
	case ConnectionBind:
		return "ConnectionBind"
	case ConnectionAttempt:
		return "ConnectionAttempt"
	}
	return fmt.Sprintf("method %#03x", uint16(m))
}

func (c Class) String() string {
	return [4]string{"request", "indication", "success response", "error response"}[c&3]
}
