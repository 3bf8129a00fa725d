package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/config"
)

// TestWhoMayReadTheDashboard is every combination that matters: on the loopback
// interface everything goes, elsewhere somebody must have said so.
func TestWhoMayReadTheDashboard(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	for _, c := range []struct {
		addr, token, public, sensitive string
		open                           bool // to others, and so refused
	}{
		{"", "", "", "1", false},
		{"127.0.0.1:8080", "", "", "1", false},
		{"127.3.2.1:0", "", "", "", false},
		{"localhost:8080", "", "", "", false},
		{"[::1]:8080", "", "", "", false},
		{":8080", "", "", "", true},
		{"0.0.0.0:8080", "", "0", "", true},
		{"[::]:8080", "", "", "", true},
		{"10.0.0.1:8080", "", "", "", true},
		{"localhost.example:8080", "", "", "", true},
		{":8080", token, "", "1", false},
		{":8080", "", "1", "", false},
		{":8080", "", "1", "1", true},
		{":8080", token, "1", "1", false},
	} {
		settings := map[string]string{"PADRON_DASHBOARD_ADDR": c.addr, "PADRON_DASHBOARD_TOKEN": c.token}
		if c.public != "" {
			settings["PADRON_DASHBOARD_PUBLIC"] = c.public
		}
		if c.sensitive != "" {
			settings["PADRON_DASHBOARD_SENSITIVE"] = c.sensitive
		}
		_, err := config.Load(settings)
		if c.open {
			require.ErrorIs(t, err, config.ErrOpen, "%+v", c)
			continue
		}
		require.NoError(t, err, "%+v", c)
	}
	_, err := config.Load(map[string]string{"PADRON_DASHBOARD_ADDR": ":8080", "PADRON_DASHBOARD_TOKEN": "hunter2"})
	require.ErrorContains(t, err, "at least 16 characters")
	require.NotContains(t, err.Error(), "hunter2")
}
