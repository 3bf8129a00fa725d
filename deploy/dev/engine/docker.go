package engine

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
)

// mongoImage is the official image. Its major version is the newest one that
// the Go driver in use supports.
const mongoImage = "mongo:8"

// dockerMongo is MongoDB in a container.
type dockerMongo struct {
	path string
}

// Name implements engine.
func (*dockerMongo) Name() string { return "Docker" }

// Prepare finds a Docker whose engine answers (often only a client is
// installed), and the image.
func (d *dockerMongo) Prepare(ctx context.Context) error {
	path, err := exec.LookPath("docker")
	if err != nil {
		return errors.New("no program `docker` on PATH: install Docker")
	}
	if out, err := d.run(ctx, path, 10*time.Second, "info", "--format", "{{.ServerVersion}}"); err != nil {
		return fmt.Errorf("%s is there, but its engine does not answer: start it (%s)", path, out)
	}
	if _, err := d.run(ctx, path, 10*time.Second, "image", "inspect", mongoImage); err != nil {
		if out, err := d.run(ctx, path, 10*time.Minute, "pull", "--quiet", mongoImage); err != nil {
			return fmt.Errorf("docker pull %s: %s", mongoImage, out)
		}
	}
	d.path = path
	return nil
}

// run runs a short docker command. It returns the last line of its output, for
// error messages.
func (*dockerMongo) run(ctx context.Context, path string, limit time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("no answer"))
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil && ctx.Err() != nil {
		return fmt.Sprintf("no answer within %s", limit), err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(lines[len(lines)-1]), err
}

// Start implements engine. The data are in a volume, so that the next container
// finds them.
func (d *dockerMongo) Start(ctx context.Context, s *stack.Stack) (uri, description string, err error) {
	name := "padron-" + s.Dirs.ID()
	// This stack holds the data folder's lock, so a container of this name is
	// left over from a stack that was killed. Usually there is none, which
	// docker reports as an error.
	_, _ = d.run(ctx, d.path, 30*time.Second, "rm", "--force", name)
	log, err := s.OpenLog("mongod")
	if err != nil {
		return "", "", err
	}
	port := s.Take(stack.PortMongoDB)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), d.path, "run", "--rm", "--name", name,
		"--publish", stack.Address(port)+":27017", "--volume", name+":/data/db", mongoImage)
	cmd.Stdout, cmd.Stderr = log, log
	container, err := process.Start("the MongoDB container", cmd, syscall.SIGTERM)
	if err != nil {
		return "", "", err
	}
	if s.Temporary {
		s.OnStop("the MongoDB volume", func(ctx context.Context) error {
			out, err := d.run(ctx, d.path, 30*time.Second, "volume", "rm", "--force", name)
			if err != nil {
				return fmt.Errorf("docker volume rm %s: %s", name, out)
			}
			return nil
		})
	}
	// The docker client passes the signal on to the container and ends with it.
	s.Watch(container, syscall.SIGTERM, 20*time.Second)
	uri = "mongodb://" + stack.Address(port) + "/"
	return uri, uri + " (Docker, " + mongoImage + ")", nil
}
