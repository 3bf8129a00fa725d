package portalsim

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header { return d.header }

func (d discard) Write(b []byte) (int, error) { return len(b), nil }

func (d discard) WriteHeader(int) {}

func benchmarkPage(b *testing.B, encoding string, o Options, params ...string) {
	p := portalWith(b, 100_000, o)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, query1(params...), nil)
	r.Header.Set("Accept-Encoding", encoding)
	b.ReportAllocs()
	for b.Loop() {
		p.ServeHTTP(discard{http.Header{}}, r)
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(50_000*b.N), "us/row")
	b.ReportMetric(float64(p.BytesServed())/float64(50_000*b.N), "wire-B/row")
}

func BenchmarkPage(b *testing.B) {
	benchmarkPage(b, "identity", Options{}, "$where", "ttxid > '0000030'", "$order", "ttxid", "$limit", "50000")
}

func BenchmarkPageGzip(b *testing.B) {
	benchmarkPage(b, "gzip", Options{}, "$where", "ttxid > '0000030'", "$order", "ttxid", "$limit", "50000")
}

func BenchmarkPageKept(b *testing.B) {
	benchmarkPage(b, "identity", Options{CacheBytes: 1 << 30}, "$where", "ttxid > '0000030'", "$order", "ttxid", "$limit", "50000")
}

func BenchmarkPageKeptGzip(b *testing.B) {
	benchmarkPage(b, "gzip", Options{CacheBytes: 1 << 30}, "$where", "ttxid > '0000030'", "$order", "ttxid", "$limit", "50000")
}

func BenchmarkPageWithSystemColumnsGzip(b *testing.B) {
	benchmarkPage(b, "gzip", Options{}, "$select", ":*,*", "$order", "ttxid", "$limit", "50000")
}

func BenchmarkKeyAt(b *testing.B) {
	p := portalWith(b, 100_000, Options{})
	page := query1("$select", "ttxid", "$where", "ttxid is not null", "$order", "ttxid", "$limit", "1", "$offset", "50000")
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, page, nil)
	for b.Loop() {
		p.ServeHTTP(discard{http.Header{}}, r)
	}
}

func BenchmarkGroup(b *testing.B) {
	p := portalWith(b, 100_000, Options{})
	const column = "neighborhoods_analysis_boundaries"
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, query1("$select", column+",count(*)", "$group", column), nil)
	for b.Loop() {
		p.ServeHTTP(discard{http.Header{}}, r)
	}
}

func BenchmarkEdit(b *testing.B) {
	p := portalWith(b, 368_000, Options{})
	key := anyKey(p)
	for b.Loop() {
		if err := p.Edit(Rename(key, "X")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkContents(b *testing.B) {
	p := portalWith(b, 368_000, Options{})
	for b.Loop() {
		p.truth.Contents(topItems)
	}
}
