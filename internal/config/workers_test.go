package config_test

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/config"
	"padron/internal/dataset"
)

func TestWrongWorkerSettingsAreNamed(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"PADRON_ROLES", "activities,cook", `"cook" is not a role; list some of workflows,activities,portal`},
		{"PADRON_ROLES", "workflows,steps", "the role steps is called activities now"},
		{"PADRON_ROLES", ",", "is not a role"},
		{"PADRON_ACTIVITY_SLOTS", "0", "must be 1 to 1000"},
		{"PADRON_ACTIVITY_SLOTS", "many", "must be a number"},
		{"PADRON_PORTAL_SLOTS", "1001", "must be 1 to 1000"},
		{"PADRON_PORTAL_SLOTS", "4.5", "must be a number"},
		{"PADRON_WORKFLOW_SLOTS", "1", "must be 2 to 1000"},
		{"PADRON_WORKFLOW_SLOTS", "", ""},
		{"PADRON_POLLERS", "1", "must be 2 to 100, or 0 for Temporal's default"},
		{"PADRON_POLLERS", "x", "must be a number"},
		{"PADRON_DEPLOYMENT", "pad.ron", "use 1 to 64 letters, digits, - or _"},
		{"PADRON_BUILD_ID", "a b", "use 1 to 64 letters, digits, ., _, + or -"},
	} {
		_, err := config.Load(map[string]string{c.name: c.value})
		if c.want == "" {
			require.NoError(t, err, "an empty variable is as good as none")
			continue
		}
		require.ErrorContains(t, err, c.name+": ")
		require.ErrorContains(t, err, c.want)
	}
}

func TestRolesAndDefaults(t *testing.T) {
	c, err := config.Load(nil)
	require.NoError(t, err)
	for _, role := range []string{config.RoleWorkflows, config.RoleActivities, config.RolePortal} {
		require.True(t, c.Workers.Has(role), "every process does everything unless it is told otherwise")
	}
	require.Equal(t, []int{4, 4, 1000, 0}, []int{c.Workers.ActivitySlots, c.Workers.PortalSlots, c.Workers.WorkflowSlots, c.Workers.Pollers})
	require.Empty(t, c.Workers.Deployment, "versioning is off unless it is asked for")

	c, err = config.Load(map[string]string{"PADRON_ROLES": "portal"})
	require.NoError(t, err)
	require.True(t, c.Workers.Has(config.RolePortal))
	require.False(t, c.Workers.Has(config.RoleActivities))
}

func TestABuildIsNamedByRevisionAndSpec(t *testing.T) {
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	program := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}, {Key: "vcs.modified", Value: "false"}}}
	id, err := config.Workers{}.Build(program, spec)
	require.NoError(t, err)
	require.Equal(t, "0123456789ab-"+spec.Digest()[:8], id)
	require.NoError(t, config.CheckBuild(id))

	program.Settings[1].Value = "true"
	id, err = config.Workers{}.Build(program, spec)
	require.NoError(t, err)
	require.Equal(t, "0123456789ab+dirty-"+spec.Digest()[:8], id)
	require.NoError(t, config.CheckBuild(id))

	id, err = config.Workers{BuildID: "v7"}.Build(nil, spec)
	require.NoError(t, err)
	require.Equal(t, "v7", id)
	for _, none := range []*debug.BuildInfo{nil, {}} {
		_, err = config.Workers{}.Build(none, spec)
		require.ErrorContains(t, err, "PADRON_BUILD_ID: this program was built without its revision")
	}
}
