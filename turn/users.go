package turn

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// maxUsername is the longest, in bytes. RFC 8489, Section 14.3.
const maxUsername = 508

// username returns whom USERNAME or USERHASH names. Whether there is such a
// user keys tells, except for a hash.
func (s *Server) username(username, userhash []byte) (name string, ok bool) {
	if userhash != nil {
		if len(userhash) != sha256.Size {
			return "", false
		}
		name, ok = s.userhashes[[sha256.Size]byte(userhash)]
		return name, ok
	}
	return string(username), len(username) > 0 && len(username) <= maxUsername
}

// A credential is what is kept of a static user's password: "the server MUST NOT
// store the password explicitly and MUST store the key value". RFC 8656, Section 6.
type credential struct{ md5, sha256 *stun.Key }

func newCredential(name, realm, password string) (c credential, err error) {
	if c.md5, err = stun.LongTermKey(stun.AlgorithmMD5, name, realm, password); err == nil {
		c.sha256, err = stun.LongTermKey(stun.AlgorithmSHA256, name, realm, password)
	}
	return c, err
}

// keys returns the keys that a user may have now: none if there is no such user.
func (s *Server) keys(now time.Time, name string, algorithm stun.PasswordAlgorithm) iter.Seq[*stun.Key] {
	return func(yield func(*stun.Key) bool) {
		if c, ok := s.static[name]; ok {
			key := c.md5
			if algorithm == stun.AlgorithmSHA256 {
				key = c.sha256
			}
			if !yield(key) {
				return
			}
		}
		if expires, _, ok := timeLimited(name); !ok || !now.Before(expires) {
			return
		}
		for _, secret := range s.config.Secrets {
			key, err := stun.LongTermKey(algorithm, name, s.config.Realm, TimeLimitedPassword(secret, name))
			if err == nil && !yield(key) {
				return
			}
		}
	}
}

// timeLimited splits a time-limited username: until when one may begin with it,
// and whose it is.
func timeLimited(name string) (expires time.Time, who string, ok bool) {
	text, who, _ := strings.Cut(name, ":")
	seconds, err := strconv.ParseUint(text, 10, 40)
	if err != nil {
		return time.Time{}, "", false
	}
	return time.Unix(int64(seconds), 0), who, true
}

// TimeLimitedPassword returns the password of a username such as
// "1767225600:alice", under a secret that whoever hands it out shares with the
// server: base64(HMAC-SHA1(secret, username)). It is the scheme of the "REST API
// for access to TURN services" (draft-uberti-behave-turn-rest), which every
// TURN server for browsers knows.
func TimeLimitedPassword(secret, username string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// TimeLimitedUsername returns the username to hand to who, good until expires.
func TimeLimitedUsername(expires time.Time, who string) string {
	name := strconv.FormatInt(expires.Unix(), 10)
	if who != "" {
		name += ":" + who
	}
	return name
}

// A user is who has allocations.
type user struct {
	name        string // without the time of a time-limited username
	allocations int
	bandwidth   bucket
}

// account returns the user behind a username: the same one whatever the time in it.
func (s *Server) account(username string) string {
	if _, static := s.static[username]; static {
		return username
	}
	if _, who, ok := timeLimited(username); ok && who != "" {
		return who
	}
	return username
}

// enter counts one more allocation of a user, unless there are too many.
func (s *Server) enter(now time.Time, username string) (*user, bool) {
	name := s.account(username)
	u := s.users[name]
	if u == nil {
		// A second's worth may come at once, and always a few datagrams.
		depth := max(s.config.UserBandwidth, 4*1500)
		u = &user{name: name, bandwidth: newBucket(now, s.config.UserBandwidth, depth)}
	}
	if most := s.config.MaxUserAllocations; most > 0 && u.allocations >= most {
		return nil, false
	}
	u.allocations++
	s.users[name] = u
	return u, true
}

func (s *Server) leave(u *user) {
	if u.allocations--; u.allocations == 0 {
		delete(s.users, u.name)
	}
}
