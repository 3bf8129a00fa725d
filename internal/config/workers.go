package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"padron/internal/dataset"
)

// These are the roles of a worker process: which tasks it takes.
const (
	RoleWorkflows  = "workflows"  // decides what comes next; needs neither portal nor database
	RoleActivities = "activities" // the activities that work with the database
	RolePortal     = "portal"     // the activities that ask the portal; they need the database too
)

// Workers are the settings of a worker process: which tasks it takes, how many
// at once, and which build it is.
type Workers struct {
	// Roles are what this process does.
	Roles []string `env:"PADRON_ROLES" envDefault:"workflows,activities,portal"`
	// ActivitySlots bounds the database activities that one process runs at
	// once, PortalSlots those that ask the portal: four of each keep two cores
	// and a portal busy and stay within 256 MiB.
	ActivitySlots int `env:"PADRON_ACTIVITY_SLOTS" envDefault:"4"`
	PortalSlots   int `env:"PADRON_PORTAL_SLOTS" envDefault:"4"`
	// WorkflowSlots bounds the workflow tasks at once; each takes milliseconds.
	WorkflowSlots int `env:"PADRON_WORKFLOW_SLOTS" envDefault:"1000"`
	// Pollers is the number of polls waiting at Temporal for each kind of task;
	// 0 leaves it to Temporal's SDK (2, or as many as the namespace says).
	Pollers int `env:"PADRON_POLLERS" envDefault:"0"`
	// Deployment is the name of the worker deployment that this build belongs
	// to; empty turns versioning off.
	Deployment string `env:"PADRON_DEPLOYMENT"`
	// BuildID names this process's build within the deployment; empty derives
	// it (see Build).
	BuildID string `env:"PADRON_BUILD_ID"`
}

// workerNumbers maps the numeric fields of Workers to the variables that set
// them.
var workerNumbers = map[string]string{
	"ActivitySlots": "PADRON_ACTIVITY_SLOTS", "PortalSlots": "PADRON_PORTAL_SLOTS",
	"WorkflowSlots": "PADRON_WORKFLOW_SLOTS", "Pollers": "PADRON_POLLERS",
}

// These bound the numbers. Temporal's SDK refuses a single workflow slot or
// poller, because each alternates between two queues.
const (
	maxSlots   = 1000
	maxPollers = 100
)

// Temporal joins both to the name of a version, with a dot or a colon between.
var (
	deploymentName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	buildName      = regexp.MustCompile(`^[A-Za-z0-9._+-]{1,64}$`)
)

// Has reports whether this process has a role.
func (w Workers) Has(role string) bool { return slices.Contains(w.Roles, role) }

func (w Workers) check() error {
	known := []string{RoleWorkflows, RoleActivities, RolePortal}
	for _, role := range w.Roles {
		if role == "steps" {
			return fmt.Errorf("PADRON_ROLES: the role steps is called %s now", RoleActivities)
		}
		if !slices.Contains(known, role) {
			return fmt.Errorf("PADRON_ROLES: %q is not a role; list some of %s", role, strings.Join(known, ","))
		}
	}
	if len(w.Roles) == 0 {
		return fmt.Errorf("PADRON_ROLES: names no role; list some of %s", strings.Join(known, ","))
	}
	for _, n := range []struct {
		name       string
		value, min int
	}{
		{"PADRON_ACTIVITY_SLOTS", w.ActivitySlots, 1},
		{"PADRON_PORTAL_SLOTS", w.PortalSlots, 1},
		{"PADRON_WORKFLOW_SLOTS", w.WorkflowSlots, 2},
	} {
		if n.value < n.min || n.value > maxSlots {
			return fmt.Errorf("%s: %d; must be %d to %d", n.name, n.value, n.min, maxSlots)
		}
	}
	if w.Pollers != 0 && (w.Pollers < 2 || w.Pollers > maxPollers) {
		return fmt.Errorf("PADRON_POLLERS: %d; must be 2 to %d, or 0 for Temporal's default", w.Pollers, maxPollers)
	}
	if w.Deployment != "" && !deploymentName.MatchString(w.Deployment) {
		return fmt.Errorf("PADRON_DEPLOYMENT: %q is no deployment's name; use 1 to 64 letters, digits, - or _", w.Deployment)
	}
	if err := CheckBuild(w.BuildID); err != nil && w.BuildID != "" {
		return fmt.Errorf("PADRON_BUILD_ID: %w", err)
	}
	return nil
}

// CheckBuild returns an error for a text that cannot be the id of a build.
func CheckBuild(id string) error {
	if !buildName.MatchString(id) {
		return fmt.Errorf("%q is no build's id; use 1 to 64 letters, digits, ., _, + or -", id)
	}
	return nil
}

// These are the lengths of the parts of a derived build id: enough to tell
// builds apart.
const (
	shortRevision = 12
	shortDigest   = 8
)

// errNoRevision is returned by a program that cannot tell which build it is.
var errNoRevision = errors.New("PADRON_BUILD_ID: this program was built without its revision (`go build` in a checkout adds it):" +
	" set the build's id, or leave PADRON_DEPLOYMENT empty")

// Build returns the id of this process's build: PADRON_BUILD_ID, or
// "<revision>[+dirty]-<digest>", from what `go build` wrote into the program and
// from the specs: the digest of one, or of the digests of several. Worker and
// starter of the same checkout with the same PADRON_DATASET have the same id.
func (w Workers) Build(program *debug.BuildInfo, specs ...*dataset.Spec) (string, error) {
	if w.BuildID != "" {
		return w.BuildID, nil
	}
	var revision, dirty string
	if program != nil {
		for _, s := range program.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value[:min(len(s.Value), shortRevision)]
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "+dirty"
			}
		}
	}
	if revision == "" {
		return "", errNoRevision
	}
	digest := specs[0].Digest()
	if len(specs) > 1 {
		all := sha256.New()
		for _, spec := range specs {
			fmt.Fprintln(all, spec.Digest())
		}
		digest = hex.EncodeToString(all.Sum(nil))
	}
	return revision + dirty + "-" + digest[:shortDigest], nil
}
