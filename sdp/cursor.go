package sdp

import (
	"math"
	"strconv"
	"strings"
)

// A cursor reads one line from left to right. Its failure is sticky, as that of
// wire.Reader is: the first expectation that is not met is remembered with its
// column, every later read returns a zero value, and a parser is a list of what
// the RFC's grammar says, checked once at its end.
type cursor struct {
	text string // the line, without its line end
	at   int    // how much of it has been read
	line int    // its number in the description, from 1
	err  *Error
}

// fail records that something else was expected where the cursor stands.
func (c *cursor) fail(expected string) {
	if c.err != nil {
		return
	}
	found := "the end of the line"
	if c.at < len(c.text) {
		word := c.text[c.at:]
		if i := strings.IndexByte(word, ' '); i > 0 {
			word = word[:i]
		}
		if len(word) > 40 {
			word = word[:40] + "…"
		}
		found = strconv.Quote(word)
	}
	c.err = &Error{Line: c.line, Column: c.at + 1, Expected: expected, Found: found}
	c.at = len(c.text) // so that every loop over the line ends
}

// failAt is fail for what began earlier in the line.
func (c *cursor) failAt(at int, expected string) {
	if c.err == nil {
		c.at = at
		c.fail(expected)
	}
}

func (c *cursor) end() bool { return c.at == len(c.text) }

// take steps over b if it is next.
func (c *cursor) take(b byte) bool {
	if c.end() || c.text[c.at] != b {
		return false
	}
	c.at++
	return true
}

// until reads up to the first of the stop bytes, or to the end of the line.
// What it reads is not empty.
func (c *cursor) until(stop, expected string) string {
	rest := c.text[c.at:]
	if i := strings.IndexAny(rest, stop); i >= 0 {
		rest = rest[:i]
	}
	if rest == "" {
		c.fail(expected)
	}
	c.at += len(rest)
	return rest
}

// word reads up to the next space.
func (c *cursor) word(expected string) string { return c.until(" ", expected) }

// rest reads what is left of the line, which may be nothing.
func (c *cursor) rest() string {
	rest := c.text[c.at:]
	c.at = len(c.text)
	return rest
}

// space steps over the space between two fields; over several, if need be.
func (c *cursor) space(expected string) {
	if !c.take(' ') {
		c.fail("a space and " + expected)
	}
	for c.take(' ') {
	}
}

// more reports whether another field follows in a list whose fields are
// separated by spaces, and steps up to it.
func (c *cursor) more() bool {
	for c.take(' ') {
	}
	return !c.end()
}

// done expects the end of the line.
func (c *cursor) done() {
	if c.more() {
		c.fail("the end of the line")
	}
}

// number reads decimal digits whose value is at most limit.
func (c *cursor) number(limit uint64, expected string) uint64 {
	start := c.at
	var v uint64
	for !c.end() && '0' <= c.text[c.at] && c.text[c.at] <= '9' {
		digit := uint64(c.text[c.at] - '0')
		if v > (math.MaxUint64-digit)/10 || v*10+digit > limit {
			c.failAt(start, expected)
			return 0
		}
		v = v*10 + digit
		c.at++
	}
	if c.at == start {
		c.fail(expected)
		return 0
	}
	return v
}

// check fails unless every byte of the word that began at start is allowed.
func (c *cursor) check(start int, word string, allowed func(byte) bool, expected string) {
	for i := range len(word) {
		if !allowed(word[i]) {
			c.failAt(start, expected)
			return
		}
	}
}

// token reads a token of RFC 8866, Section 9: visible ASCII but for the
// characters with which mail headers are punctuated.
func (c *cursor) token(expected string) string {
	start := c.at
	word := c.word(expected)
	c.check(start, word, isTokenByte, expected)
	return word
}

func isTokenByte(b byte) bool {
	return ' ' < b && b < 0x7f && strings.IndexByte(`"(),/:;<=>?@[\]`, b) < 0
}
