package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// maxRecordings is how many files a server makes, and maxRecorded how many bytes
	// they hold together: visitors must not fill the disk.
	maxRecordings = 100
	maxRecorded   = 1 << 30
	// maxRecordingTime is how long one recording lasts.
	maxRecordingTime = 10 * time.Minute
	// downloadLimit is how long one download may take.
	downloadLimit = 30 * time.Minute
)

// errFull says that maxRecordings or maxRecorded is reached.
var errFull = errors.New("this server has recorded as much as it may: start it anew to record more")

// recordings are the files that a server has recorded, in one directory. It names
// them; visitors ask for them by a secret that goes with each.
type recordings struct {
	dir       string
	temporary bool // the directory goes with the server if nothing is in it
	root      *os.Root

	mu    sync.Mutex
	made  int
	bytes int64
	done  map[string]*recording // by secret
}

// A recording is a file that is complete.
type recording struct {
	Name    string  `json:"name"`
	URL     string  `json:"url"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Content string  `json:"content"` // such as "VP8 and opus"
}

// openRecordings makes sure that the directory can be written; an empty name
// stands for a new one of our own.
func openRecordings(dir string) (*recordings, error) {
	r := &recordings{dir: dir, temporary: dir == "", done: make(map[string]*recording)}
	var err error
	if r.temporary {
		r.dir, err = os.MkdirTemp("", "plainrtc-recordings-")
	} else if r.dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(r.dir, 0o700)
	}
	if err == nil {
		r.root, err = os.OpenRoot(r.dir)
	}
	if err == nil {
		const probe = ".plainrtc-may-write"
		var file *os.File
		if file, err = r.root.Create(probe); err == nil {
			file.Close()
			err = r.root.Remove(probe)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("recordings cannot be stored: %w", err)
	}
	return r, nil
}

// close says where recordings are, if there are any.
func (r *recordings) close(out output) {
	r.root.Close()
	if n := len(r.done); n > 0 {
		say(out.stdout, "%s in %s", count(n, "recording"), r.dir)
	} else if r.temporary {
		os.Remove(r.dir)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// create makes a file with a name that ends so.
func (r *recordings) create(began time.Time, extension string) (*os.File, error) {
	for {
		r.mu.Lock()
		if r.made == maxRecordings || r.bytes >= maxRecorded {
			r.mu.Unlock()
			return nil, errFull
		}
		r.made++
		name := fmt.Sprintf("plainrtc-%s-%d%s", began.Format("20060102-150405"), r.made, extension)
		r.mu.Unlock()
		// A person was recorded: nobody else of this machine is to see it.
		file, err := r.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
}

// take counts bytes that are about to be written, or says that there is no room for them.
func (r *recordings) take(n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes+int64(n) > maxRecorded {
		return errFull
	}
	r.bytes += int64(n)
	return nil
}

// discard takes back a file in which there is nothing.
func (r *recordings) discard(name string) {
	r.root.Remove(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made--
}

// keep offers a complete file for download.
func (r *recordings) keep(name, content string, bytes int64, length time.Duration) *recording {
	secret := rand.Text()
	f := &recording{Name: name, URL: "recordings/" + secret + "/" + name, Bytes: bytes, Seconds: length.Seconds(), Content: content}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[secret] = f
	return f
}

// contentTypes are those of the files that we make.
var contentTypes = map[string]string{
	".webm": "video/webm", ".ivf": "video/x-ivf", ".ogg": "audio/ogg", ".wav": "audio/wav",
	".h264": "video/h264", ".h265": "video/h265",
}

// download serves a file to who knows its secret. The path is only compared.
func (r *recordings) download(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	f := r.done[q.PathValue("secret")]
	r.mu.Unlock()
	if f == nil || f.Name != q.PathValue("name") {
		http.Error(w, "There is no such recording.", http.StatusNotFound)
		return
	}
	file, err := r.root.Open(f.Name)
	if err != nil {
		http.Error(w, "The recording is not there any more.", http.StatusGone)
		return
	}
	defer file.Close()
	// A test's recorder has no deadlines.
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(downloadLimit))
	w.Header().Set("Content-Type", contentTypes[filepath.Ext(f.Name)])
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", f.Name))
	http.ServeContent(w, q, "", time.Time{}, file)
}
