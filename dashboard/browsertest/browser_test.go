package browsertest_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// loads is how long a page may take until its charts are drawn: this is
// generous, for a machine that is busy with other tests.
const loads = time.Minute

// Sizes of a window, in CSS pixels.
var (
	desktop = size{1280, 900}
	phone   = size{360, 740}
	wide    = size{1920, 1080}
)

type size struct{ width, height int64 }

// browserPath finds Chromium: the test command installs it and says where.
func browserPath(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("PADRON_BROWSER"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.FailNow(t, "no browser", "the tests of the dashboard need Chromium: apt-get install chromium, or set PADRON_BROWSER to its path")
	return ""
}

// startBrowser starts Chromium for as long as the test runs.
func startBrowser(t testing.TB) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browserPath(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx), "start the browser")
	return ctx
}

// tab is a tab of the browser that notes whatever goes wrong in it.
type tab struct {
	t      testing.TB
	ctx    context.Context
	origin string // of the dashboard

	mu       sync.Mutex
	problems []string
	requests []string          // addresses asked for
	contexts map[string]string // origins of the pages and frames in the tab, by unique id
}

// newTab opens a tab for a test.
func newTab(browser context.Context, t testing.TB, origin string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, origin: origin, contexts: map[string]string{}}
	require.NoError(t, chromedp.Do(ctx), "open a tab")
	require.NoError(t, chromedp.Listen(ctx, b.note))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	b.resize(desktop)
	return b
}

// note keeps what no page may do: write errors, throw, or ask for what is not
// there or belongs to others.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wrong := func(format string, args ...any) { b.problems = append(b.problems, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *cdpruntime.EventExecutionContextCreated:
		b.contexts[e.Context.UniqueID] = e.Context.Origin
	case *cdpruntime.EventExecutionContextDestroyed:
		delete(b.contexts, e.ExecutionContextUniqueID)
	case *cdpruntime.EventExecutionContextsCleared:
		clear(b.contexts)
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value)+arg.Description)
			}
			wrong("console %s: %s", e.Type, strings.Join(words, " "))
		}
	case *cdpruntime.EventExceptionThrown:
		wrong("exception: %s %s", e.ExceptionDetails.Text, description(e.ExceptionDetails))
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			wrong("browser %s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
		if !strings.HasPrefix(e.Request.URL, b.origin) && !strings.HasPrefix(e.Request.URL, "data:") {
			wrong("asks a third party: %s", e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			wrong("HTTP %d: %s", e.Response.Status, e.Response.URL)
		}
	case *network.EventLoadingFailed:
		if !e.Canceled {
			wrong("request failed: %s", e.ErrorText)
		}
	}
}

// requireClean fails when something went wrong since the last call.
func (b *tab) requireClean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	problems := b.problems
	b.problems = nil
	require.Empty(b.t, problems)
}

// do runs actions.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, loads)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// open loads a page of the dashboard and waits until its charts are drawn.
func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.origin + path))
	b.drawn()
}

// drawn waits until the page's charts are drawn.
func (b *tab) drawn() {
	b.t.Helper()
	eval[bool](b, `(async () => { while (document.readyState !== "complete" || !window.padron) await new Promise(r => setTimeout(r, 10)); await window.padron.ready; await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))); return true })()`)
}

// eval evaluates an expression, which may be a promise.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, loads)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err, expression)
	return v
}

// eventually waits until an expression is true.
func (b *tab) eventually(expression, message string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, loads)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return err == nil && ok
	}, loads, 50*time.Millisecond, message)
}

// click presses what a selector finds and waits for the page that this leads to.
func (b *tab) follow(selector string) {
	b.t.Helper()
	eval[bool](b, "window.before = true")
	b.do(chromedp.Click(chromedp.CSS(selector)))
	b.eventually("!window.before && document.readyState === 'complete'", "no page came after "+selector)
	b.drawn()
}

// context waits for a frame of that origin.
func (b *tab) context(origin string) (id string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, o := range b.contexts {
			if o == origin {
				id = i
			}
		}
		return id != ""
	}, loads, 20*time.Millisecond, "no frame shows %s", origin)
	return id
}

// resize makes the window so large.
func (b *tab) resize(s size) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(s.width, s.height))
}

// prefer makes the system light or dark.
func (b *tab) prefer(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(b.t, err)
}

// address is the tab's, without the origin.
func (b *tab) address() string {
	b.t.Helper()
	return strings.TrimPrefix(eval[string](b, "location.href"), b.origin)
}

// path escapes a name for an address.
func path(name string) string { return url.PathEscape(name) }

func description(e *cdpruntime.ExceptionDetails) string {
	if e.Exception == nil {
		return ""
	}
	return e.Exception.Description
}
