package browsertest_test

import (
	"context"
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// served is a dashboard to measure, such as that of `demo`.
var served = flag.String("dashboard", "", "address of the dashboard that BenchmarkFirstPaint measures")

// noteDrawn notes in a page when its charts are drawn, in milliseconds since its
// address was asked for.
const noteDrawn = `addEventListener("DOMContentLoaded", () => {
	const look = () => window.padron
		? window.padron.ready.then(() => requestAnimationFrame(() => requestAnimationFrame(() => { window.drawnAt = performance.now(); })))
		: setTimeout(look, 5);
	look();
})`

// BenchmarkFirstPaint measures, for a reader who comes for the first time, how
// long it takes from the address of a page to its first contentful paint, and
// until its charts are drawn. Both are medians, in milliseconds:
//
//	go test ./dashboard/browsertest -run '^$' -bench FirstPaint -benchtime 20x -dashboard http://127.0.0.1:8080/
func BenchmarkFirstPaint(b *testing.B) {
	if *served == "" {
		b.Skip("-dashboard names no dashboard")
	}
	origin := strings.TrimSuffix(*served, "/")
	tab := newTab(startBrowser(b), b, origin)
	_, err := chromedp.Call(tab.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: noteDrawn})
	require.NoError(b, err)
	_, err = chromedp.Call(tab.ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	require.NoError(b, err)
	for _, path := range []string{
		"", "neighborhoods", "sectors", "survival", "businesses", "businesses?q=coffee", "changes", "profile", "runs",
	} {
		b.Run("/en/"+path, func(b *testing.B) {
			tab.t = b
			var painted, drawn []float64
			for b.Loop() {
				ctx, cancel := context.WithTimeout(tab.ctx, loads)
				require.NoError(b, chromedp.Do(ctx, chromedp.Navigate(origin+"/en/"+path)))
				cancel()
				tab.eventually(`window.drawnAt && performance.getEntriesByName("first-contentful-paint").length`, "the page is drawn")
				painted = append(painted, eval[float64](tab, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
				drawn = append(drawn, eval[float64](tab, `window.drawnAt`))
			}
			tab.requireClean()
			median := func(all []float64) float64 {
				slices.Sort(all)
				return all[len(all)/2]
			}
			b.ReportMetric(median(painted), "ms/paint")
			b.ReportMetric(median(drawn), "ms/drawn")
			b.ReportMetric(0, "ns/op") // it would be the browser driver's
		})
	}
}
