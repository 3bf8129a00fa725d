package main_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim/register"
)

const dashboardToken = "0123456789abcdef"

// TestADashboardForOthersIsRefused needs no servers: who may read is checked
// before anything is connected to.
func TestADashboardForOthersIsRefused(t *testing.T) {
	t.Parallel()
	s := &stack{t: t, env: map[string]string{"HOME": t.TempDir(), "MONGODB_URI": "mongodb://" + nobody, "TEMPORAL_ADDRESS": nobody}}
	const open = "the dashboard would be open to other machines"
	for name, c := range map[string]struct {
		env  []string
		args []string
		want []string
	}{
		"every address":     {nil, []string{"--addr", ":8080"}, []string{open, "PADRON_DASHBOARD_TOKEN", "--public"}},
		"an address":        {nil, []string{"--addr", "192.0.2.1:8080"}, []string{open}},
		"a name":            {nil, []string{"--addr", "data.example:8080"}, []string{open}},
		"IPv6":              {nil, []string{"--addr", "[::]:8080"}, []string{open}},
		"a worker's":        {[]string{"PADRON_DASHBOARD_ADDR=0.0.0.0:8080"}, nil, []string{open}},
		"sensitive, public": {nil, []string{"--addr", ":8080", "--public", "--sensitive"}, []string{"show them sensitive fields", "PADRON_DASHBOARD_SENSITIVE"}},
		"a short token":     {nil, []string{"--addr", ":8080", "--token", "hunter2"}, []string{"PADRON_DASHBOARD_TOKEN", "at least 16 characters"}},
		"no address":        {nil, []string{"--addr", "8080"}, []string{"must look like 127.0.0.1:8080"}},
		"no switch":         {[]string{"PADRON_DASHBOARD_PUBLIC=everybody"}, nil, []string{"PADRON_DASHBOARD_PUBLIC: must be 1 or 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := s.starterWith(t, c.env, append([]string{"dashboard"}, c.args...)...)
			requireOneLine(t, r, usage, c.want...)
			require.NotContains(t, r.errors, "hunter2")
			if c.args == nil {
				requireOneLine(t, s.start(t, "worker", c.env).result(), usage, c.want...)
			}
		})
	}
}

// fetch asks a server that is reached as somebody else's would be.
func fetch(t *testing.T, url, bearer string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// address waits for a dashboard and returns where it is.
func (p *process) dashboard(prefix string, in *buffer) string {
	p.t.Helper()
	found := ""
	require.Eventually(p.t, func() bool {
		_, after, ok := strings.Cut(in.String(), prefix)
		found, _, _ = strings.Cut(after, "\n")
		return p.ended() || ok && found != ""
	}, soon, 20*time.Millisecond)
	require.NotEmpty(p.t, found, "%s", &p.errors)
	return strings.TrimSpace(found)
}

// TestTheDashboardIsServed by the starter alone and by a worker, before and after
// there is a mirror.
func TestTheDashboardIsServed(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 82))
	alone := s.start(t, "starter", nil, "dashboard", "--addr", "127.0.0.1:0")
	base := alone.dashboard("", &alone.out)
	status, body := fetch(t, base+"en/", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "There is no mirror yet")

	worker := s.worker("PADRON_DASHBOARD_ADDR=0.0.0.0:0", "PADRON_DASHBOARD_TOKEN="+dashboardToken)
	sum := s.load()
	_, port, err := net.SplitHostPort(strings.Trim(strings.TrimPrefix(worker.dashboard("dashboard=", &worker.errors), "http://"), "/"))
	require.NoError(t, err)
	of := "http://127.0.0.1:" + port + "/en/runs/" + sum.Run
	status, body = fetch(t, of, "")
	require.Equal(t, http.StatusUnauthorized, status)
	require.NotContains(t, body, sum.Outcome+"</span>")
	status, body = fetch(t, of, dashboardToken)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `<span class="badge done green">green</span>`)
	require.NotContains(t, worker.errors.String()+worker.out.String(), dashboardToken)

	require.Eventually(t, func() bool {
		status, body = fetch(t, base+"es/", "")
		return status == http.StatusOK
	}, soon, 100*time.Millisecond, "the mirror is found once it is there")
	require.Contains(t, body, "Negocios abiertos por barrio")
	require.NoError(t, alone.signal(syscall.SIGTERM))
	require.Zero(t, alone.exits(soon))
	require.Empty(t, alone.errors.String())
}
