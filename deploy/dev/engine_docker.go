package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// mongoImage is the official image. Its major version is the newest that the Go driver in use supports.
const mongoImage = "mongo:8"

// dockerMongo is MongoDB in a container.
type dockerMongo struct {
	path string
}

// Name implements Engine.
func (*dockerMongo) Name() string { return "Docker" }

// Prepare finds a Docker whose engine answers (a client alone is often installed without one), and the image.
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

// run runs a short docker command. Its output comes back as one line, for error messages.
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

// Start implements Engine. The data lie in a volume of their own, so that the next container finds them.
func (d *dockerMongo) Start(ctx context.Context, stack *Stack) (uri, description string, err error) {
	name := "padron-" + stack.Dirs.ID()
	// A container of this name is left over from a stack that was killed: this stack holds the data folder's lock.
	// That there is none is the usual case and an error to docker.
	_, _ = d.run(ctx, d.path, 30*time.Second, "rm", "--force", name)
	log, err := stack.openLog("mongod")
	if err != nil {
		return "", "", err
	}
	port := stack.ports.Take(portMongoDB)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), d.path, "run", "--rm", "--name", name,
		"--publish", address(port)+":27017", "--volume", name+":/data/db", mongoImage)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := startProcess("the MongoDB container", cmd, syscall.SIGTERM)
	if err != nil {
		return "", "", err
	}
	if stack.Temporary {
		stack.onStop("the MongoDB volume", func(ctx context.Context) error {
			out, err := d.run(ctx, d.path, 30*time.Second, "volume", "rm", "--force", name)
			if err != nil {
				return fmt.Errorf("docker volume rm %s: %s", name, out)
			}
			return nil
		})
	}
	// The client passes the signal on to the container and ends with it.
	stack.watch(process, syscall.SIGTERM, 20*time.Second)
	uri = "mongodb://" + address(port) + "/"
	return uri, uri + " (Docker, " + mongoImage + ")", nil
}
