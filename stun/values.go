package stun

import (
	"encoding/binary"
)

// Uint32 returns the value of an attribute of 32 bits, such as PRIORITY.
func (m Message) Uint32(t AttributeType) (uint32, bool) {
	value, _ := m.Get(t)
	if len(value) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(value), true
}

// Uint64 returns the value of an attribute of 64 bits, such as ICE-CONTROLLING.
func (m Message) Uint64(t AttributeType) (uint64, bool) {
	value, _ := m.Get(t)
	if len(value) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(value), true
}

// Username returns USERNAME, or nil.
func (m Message) Username() []byte { return m.value(AttrUsername) }

// Realm returns REALM, or nil.
func (m Message) Realm() []byte { return m.value(AttrRealm) }

// Nonce returns NONCE, or nil.
func (m Message) Nonce() []byte { return m.value(AttrNonce) }

// Software returns SOFTWARE, the sender's description of itself, or nil.
func (m Message) Software() []byte { return m.value(AttrSoftware) }

// Userhash returns USERHASH, or nil; see [Userhash].
func (m Message) Userhash() []byte { return m.value(AttrUserhash) }

func (m Message) value(t AttributeType) []byte {
	value, _ := m.Get(t)
	return value
}
