package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Pref is a Firefox preference, as about:config shows it.
type Pref struct {
	Name  string
	Value any // a string, a bool or an int
}

// firefoxPrefs make Firefox quiet, let pages open and close windows, and give
// it a camera and a microphone.
var firefoxPrefs = []Pref{
	{"app.normandy.enabled", false},
	{"app.update.enabled", false},
	{"browser.aboutwelcome.enabled", false},
	{"browser.dom.window.dump.enabled", true},
	{"browser.newtabpage.enabled", false},
	{"browser.safebrowsing.downloads.enabled", false},
	{"browser.safebrowsing.malware.enabled", false},
	{"browser.safebrowsing.phishing.enabled", false},
	{"browser.sessionstore.resume_from_crash", false},
	{"browser.shell.checkDefaultBrowser", false},
	{"browser.startup.homepage_override.mstone", "ignore"},
	{"browser.startup.page", 0},
	{"browser.tabs.firefox-view", false},
	{"browser.tabs.remote.separatePrivilegedContentProcess", false},
	{"datareporting.policy.dataSubmissionEnabled", false},
	{"dom.allow_scripts_to_close_windows", true},
	{"dom.disable_open_during_load", false},
	{"dom.ipc.processPrelaunch.enabled", false},
	{"dom.min_background_timeout_value", 4},
	{"dom.timeout.enable_budget_timer_throttling", false},
	{"extensions.update.enabled", false},
	{"media.gmp-manager.updateEnabled", false},
	{"media.navigator.permission.disabled", true},
	{"media.navigator.streams.fake", true},
	{"network.captive-portal-service.enabled", false},
	{"network.connectivity-service.enabled", false},
	{"network.proxy.type", 0},
	{"network.trr.mode", 5},
	{"services.settings.server", "data:,"},
	{"toolkit.cosmeticAnimations.enabled", false},
	{"toolkit.telemetry.enabled", false},
	{"toolkit.telemetry.server", "data:,"},
	{"trailhead.firstrun.didSeeAboutWelcome", true},
}

// Firefox returns the headless Firefox that all tests share which ask for the
// same additional preferences, and starts it for the first of them.
func Firefox(t testing.TB, prefs ...Pref) *Browser {
	t.Helper()
	return shared(t, firefox(nil, prefs))
}

// FirefoxIn starts a headless Firefox in a network namespace, with additional files in its
// profile. It ends with the test.
func FirefoxIn(t testing.TB, place Place, files map[string]string, prefs ...Pref) *Browser {
	t.Helper()
	return apart(t, firefox(files, prefs), place)
}

func firefox(files map[string]string, prefs []Pref) kind {
	return kind{
		name:     "Firefox",
		programs: []string{"firefox-esr", "firefox"},
		install:  "apt-get install firefox-esr",
		command: func(profile, url string) ([]string, error) {
			if err := os.WriteFile(filepath.Join(profile, "user.js"), userJS(prefs), 0o600); err != nil {
				return nil, err
			}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(profile, name), []byte(text), 0o600); err != nil {
					return nil, err
				}
			}
			return []string{"-headless", "-no-remote", "-profile", profile, url}, nil
		},
		flags: strings.Split(string(userJS(prefs)), "\n"),
	}
}

// userJS returns the file of a profile that sets preferences; later lines win.
func userJS(prefs []Pref) []byte {
	var b []byte
	for _, p := range append(firefoxPrefs[:len(firefoxPrefs):len(firefoxPrefs)], prefs...) {
		v, err := json.Marshal(p.Value)
		if err != nil {
			panic("BUG: a preference is a string, a bool or an int: " + err.Error())
		}
		b = fmt.Appendf(b, "user_pref(%q, %s);\n", p.Name, v)
	}
	return b
}
