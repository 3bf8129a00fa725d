// Package browsertest holds the tests of the dashboard in a real browser: what
// readers see and can do, in Chromium, over a mirror that real programs filled
// on real servers. It is apart from package dashboard since it takes a minute and
// needs a browser and the bundle of dashboard/web.
package browsertest
