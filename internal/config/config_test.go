package config_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/config"
)

func TestAWrongSettingIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ value, want string }{
		"MONGODB_URI":                {"localhost:27017", "must look like mongodb://"},
		"MONGODB_DATABASE":           {"a b", "not a database prefix"},
		"PADRON_PORTAL_URL":          {"data.sf.gov", "must look like https://data.sf.gov"},
		"PADRON_APP_TOKEN":           {"secret token", "has white space"},
		"PADRON_LANDING":             {"s3:bucket", "must be gridfs or dir:PATH"},
		"PADRON_KEEP_CRAWLS":         {"none", "must be a number"},
		"PADRON_PAGE_SIZE":           {"60000", "must be 1 to 50000"},
		"PADRON_REQUESTS_PER_SECOND": {"-1", "must be above 0"},
		"PADRON_HEALTH_ADDR":         {"9090", "must look like 127.0.0.1:9090"},
		"PADRON_LOG_LEVEL":           {"loud", "must be debug, info, warn or error"},
		"PADRON_WEBHOOK_URL":         {"hooks.slack.com/services/x", "must look like https://"},
		"PADRON_WEBHOOK_SECRET":      {"short", "must have at least 16 characters"},
		"PADRON_PPROF":               {"perhaps", "must be 1 or 0"},
		"PADRON_DASHBOARD_ADDR":      {"8080", "must look like 127.0.0.1:8080"},
		"PADRON_DASHBOARD_TOKEN":     {"a token with spaces", "without white space"},
		"PADRON_DASHBOARD_PUBLIC":    {"perhaps", "must be 1 or 0"},
		"PADRON_DASHBOARD_SENSITIVE": {"perhaps", "must be 1 or 0"},
		"PADRON_DASHBOARD_EMBED":     {"https://www.sf.gov; script-src", "must be *, none, or sites like https://www.sf.gov"},
	} {
		_, err := config.Load(map[string]string{name: c.value})
		require.ErrorContains(t, err, name+": ", name)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestAWrongSecretIsNotTold(t *testing.T) {
	for name, value := range map[string]string{
		"PADRON_WEBHOOK_URL":    "ftp://hooks.example/s3cr3tt0ken",
		"PADRON_WEBHOOK_SECRET": "whsec_s3cr3tt0ken!",
	} {
		_, err := config.Load(map[string]string{name: value})
		require.ErrorContains(t, err, name+": ")
		require.NotContains(t, err.Error(), "s3cr3tt0ken")
	}
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	t.Setenv("PADRON_DATASET", "from-environment")
	t.Setenv("TEMPORAL_ADDRESS", "environment:7233")
	c, err := config.Load(map[string]string{"TEMPORAL_ADDRESS": "flag:7233"})
	require.NoError(t, err)
	require.Equal(t, "from-environment", c.Dataset)
	o, err := c.Temporal(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, "flag:7233", o.HostPort)
	require.Equal(t, "default", o.Namespace)
}
