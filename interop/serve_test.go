package interop

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/interop/browser"
)

// The page of plainrtc serve as somebody meets it who has just started the
// program: it connects, checks its echo, measures, says what is wrong when the
// program has ended; and the program ends cleanly.
func TestServe(t *testing.T) {
	program := buildPlainrtc(t)
	for _, b := range []struct {
		name string
		get  func(testing.TB) *browser.Browser
	}{
		{"Chromium", func(t testing.TB) *browser.Browser { return browser.Chromium(t) }},
		{"Firefox", func(t testing.TB) *browser.Browser { return browser.Firefox(t) }},
	} {
		t.Run(b.name, func(t *testing.T) {
			url, stop := startServe(t, program)
			page := b.get(t).Visit(t, url)
			seen := func(what string) (s string) {
				page.Do(&s, what)
				return s
			}
			await(t, page, pageState, "connected ok ")

			// What the set-up came to is on the page, from both ends.
			timeline := seen(`return document.getElementById("timeline").innerText`)
			for _, word := range []string{"candidate", "check received", "nominated pair", "DTLS 1.3", "GCM", "ESTABLISHED", "channels open"} {
				if b.name == "Firefox" && (word == "nominated pair" || word == "GCM" || word == "DTLS 1.3") {
					continue // it has no such event, and does not tell the cipher
				}
				if !strings.Contains(timeline, word) {
					t.Errorf("the timeline does not mention %q:\n%s", word, timeline)
				}
			}

			page.Do(nil, `
				document.getElementById("message").value = args[0];
				document.getElementById("send").click();`, "hello from a person")
			await(t, page, `return document.querySelector("#messages span")?.textContent`, "hello from a person")

			page.Do(nil, `document.getElementById("measure").click()`)
			await(t, page, `
				const d = document.documentElement.dataset;
				return d.download > 0 && d.upload > 0 ? "measured" : d.download + " " + d.upload + " " + document.getElementById("up-text").textContent`, "measured")

			stop()
			await(t, page, pageState, "closed ok The plainrtc program does not answer")
		})
	}
}

// pageState tells how far the page has come.
const pageState = `const d = document.documentElement.dataset; return d.state + " " + (d.echo || "") + " " + (d.trouble || "")`

// startServe runs plainrtc serve, and returns its URL, and what ends it as Ctrl-C does.
func startServe(t *testing.T, program string, args ...string) (url string, stop func()) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	var log strings.Builder
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	if url = regexp.MustCompile(`http://[0-9.:]+/`).FindString(line); url == "" {
		t.Fatalf("the first line is no URL: %q (%v)", line, err)
	}
	return url, func() {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil {
			t.Errorf("after Ctrl-C: %v, want exit status 0\n%s", err, log.String())
		}
	}
}

// await waits until js returns want.
func await(t *testing.T, page *browser.Page, js, want string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		got, err := page.Eval(ctx, js, args...)
		if err == nil && string(got) == fmt.Sprintf("%q", want) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the page says %s (%v), want %q", got, err, want)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
