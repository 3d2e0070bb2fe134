package browser

import "testing"

// Chromium returns the headless Chromium that all tests share which ask for the
// same additional flags, and starts it for the first of them.
func Chromium(t testing.TB, flags ...string) *Browser {
	t.Helper()
	return shared(t, chromium(flags))
}

// ChromiumIn starts a headless Chromium in a network namespace. It ends with the test.
func ChromiumIn(t testing.TB, place Place, flags ...string) *Browser {
	t.Helper()
	return apart(t, chromium(flags), place)
}

func chromium(flags []string) kind {
	return kind{
		name:     "Chromium",
		programs: []string{"chromium", "chromium-browser", "google-chrome"},
		install:  "apt-get install chromium",
		command: func(profile, url string) ([]string, error) {
			args := []string{
				"--headless=new",
				"--no-sandbox", // its sandbox does not run as root, as CI does
				"--user-data-dir=" + profile,
				"--no-first-run",

				// It stays on this machine.
				"--disable-quic",
				"--disable-background-networking",
				"--disable-component-update",
				"--disable-sync",
				"--no-proxy-server",

				"--use-fake-device-for-media-stream",
				"--use-fake-ui-for-media-stream",

				// Pages open pages, and none is slowed down for being behind another.
				"--disable-popup-blocking",
				"--disable-background-timer-throttling",
				"--disable-backgrounding-occluded-windows",
				"--disable-renderer-backgrounding",
			}
			if littleSharedMemory() {
				args = append(args, "--disable-dev-shm-usage")
			}
			return append(append(args, flags...), url), nil
		},
		flags: flags,
	}
}
