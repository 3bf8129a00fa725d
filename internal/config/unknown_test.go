package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnknownVariablesAreTold(t *testing.T) {
	told, err := unknown(map[string]string{
		"PADRON_DATASET": "sf-business", "PADRON_DASHBOARD_TOKEN": "x", "PADRON_ROLES": "portal", "PADRON_TEST_LONG": "1", "PADRON_BROWSER": "/bin/x",
		"PADRON_APP_TOKN": "secret", "PADRON_DATASETS": "a", "PADRON_ROLE": "portal", "PADRON_SOMETHING_ELSE": "1", "PATH": "/bin",
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"PADRON_APP_TOKN is no setting and has no effect: did you mean PADRON_APP_TOKEN?",
		"PADRON_DATASETS is no setting and has no effect: did you mean PADRON_DATASET?",
		"PADRON_ROLE is no setting and has no effect: did you mean PADRON_ROLES?",
		"PADRON_SOMETHING_ELSE is no setting and has no effect: docs/configuration.md lists them",
	}, told)
	require.NotContains(t, strings.Join(told, ""), "secret")
}

// TestEverySettingIsDocumented, and nothing else is.
func TestEverySettingIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, name := range regexp.MustCompile("PADRON_[A-Z_]+").FindAllString(string(text), -1) {
		documented[name] = ""
	}
	told, err := unknown(documented)
	require.NoError(t, err)
	require.Empty(t, told)
}

func TestDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{{"", "abc"}: 3, {"abc", "abc"}: 0, {"kitten", "sitting"}: 3, {"ab", "ba"}: 2} {
		require.Equal(t, want, distance(pair[0], pair[1]), pair)
	}
}
