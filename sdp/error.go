package sdp

import "fmt"

// An Error says where a description stopped making sense, and what would have
// made sense there.
type Error struct {
	Line   int // from 1
	Column int // from 1, in bytes, "m=" included

	Expected string // such as "a port from 0 to 65535"
	Found    string // such as `"99999"` or "the end of the line"
}

func (e *Error) Error() string {
	return fmt.Sprintf("sdp: line %d, column %d: expected %s, found %s", e.Line, e.Column, e.Expected, e.Found)
}
