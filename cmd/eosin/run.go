package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eosin-sdn/eosin/spelling"
)

// The exit statuses. Those of probe are part of the public contract.
const (
	exitOK     = 0
	exitFailed = 1 // the command did its work and the answer is no: probes were lost, the file is wrong
	exitUsage  = 2 // wrong usage
	exitCannot = 3 // the command could not be run
)

// exitError ends the program with a status. With a nil err nothing more is printed.
type exitError struct {
	status int
	err    error
}

// Error returns the reason.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

// Unwrap returns the reason.
func (e *exitError) Unwrap() error { return e.err }

// usageErrorf says that the command line is wrong.
func usageErrorf(format string, args ...any) error {
	return &exitError{status: exitUsage, err: fmt.Errorf(format, args...)}
}

// failf says that the command could not be run.
func failf(format string, args ...any) error {
	return &exitError{status: exitCannot, err: fmt.Errorf(format, args...)}
}

// run is the program without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newApp(env, stdout, stderr).run(ctx, args, stdin)
}

// run runs a command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string, stdin io.Reader) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	// What does not come from a command's own code is cobra's verdict on the command line.
	status := &exitError{status: exitUsage, err: err}
	errors.As(err, &status)
	if status.err != nil {
		fmt.Fprintf(a.stderr, "eosin: %s\n", strings.TrimSpace(status.err.Error()))
		if status.status == exitUsage {
			fmt.Fprintf(a.stderr, "See '%s --help'.\n", cmd.CommandPath())
		}
	}
	return status.status
}

// markFailures makes every error of a command's own code that has no status one of status 1, so that only cobra's are
// left as errors of usage.
func markFailures(cmd *cobra.Command) {
	if work := cmd.RunE; work != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := work(cmd, args)
			var status *exitError
			if err == nil || errors.As(err, &status) {
				return err
			}
			return &exitError{status: exitFailed, err: err}
		}
	}
	for _, sub := range cmd.Commands() {
		markFailures(sub)
	}
}

// flagError adds to an unknown flag the one that may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}
	name := unknown.GetSpecifiedName()
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	const close = 2 // letters that may differ
	if best := spelling.Nearest(name, names, 1); len(best) > 0 && (spelling.Distance(name, best[0]) <= close || strings.HasPrefix(best[0], name)) {
		return fmt.Errorf("%w; did you mean --%s?", err, best[0])
	}
	return err
}
