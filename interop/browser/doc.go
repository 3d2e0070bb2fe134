// Package browser lets a Go test drive a real, headless browser: run this
// JavaScript, give me the JSON.
//
//	func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }
//
//	func TestSum(t *testing.T) {
//		page := browser.Chromium(t).Open(t)
//		var sum int
//		page.Do(&sum, `return args[0] + args[1]`, 1, 2)
//	}
//
// There is no driver. The browser is started with nothing but a page's URL; the
// page, which the test's own HTTP server serves, fetches its next command by
// long poll, runs it as an async function, and posts back the result or the
// exception, and whatever was written to the console. The same few lines of
// JavaScript (page.js) work in Chromium and Firefox, and nothing needs to be
// installed but the browser.
//
// One browser process serves all tests of a test binary. Its first page, the
// hall, does nothing but open the others, each in a window of its own and from
// an origin of its own: browsers allow six connections to an origin, which as
// many pages that poll would use up.
//
// [ChromiumIn] and [FirefoxIn] start one for a single test in a network namespace, with the
// harness's server in there, too.
//
// A test that fails logs its pages' consoles, the end of the browser's standard
// error, and what [Page.OnFailure] adds. A browser that is not installed fails
// the test and names the package to install: a skipped test tells nobody that
// nothing was tested.
//
// Out of scope: input events, screenshots, cookies, network interception; and
// systems other than Linux, whose process groups, subreapers and parent-death
// signals are what lets [Main] promise that no process outlives the tests.
package browser
