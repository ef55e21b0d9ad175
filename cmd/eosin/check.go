package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/eosin-sdn/eosin/config"
)

// checkCommand validates a configuration file.
func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration file",
		Long: `Check a configuration file. Every error is printed as FILE:LINE: what is wrong and
what would be right. The exit status is 0 when the file is right, else 1.

The files of certificates, keys and tokens that it names are looked at, too: what is not
what it should be, does not fit together or has expired is an error. One that is not there
or may not be read is a warning, since this may not be the machine of the controller.`,
		Example: "  eosin check /etc/eosin/eosin.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("check takes one file, %d were given", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			loaded, err := config.Load(args[0])
			if err != nil {
				fmt.Fprintln(a.stderr, err) // has file and line
				return &exitError{status: exitFailed}
			}
			for _, warning := range loaded.Warnings {
				fmt.Fprintf(a.stderr, "warning: %v\n", warning)
			}
			wrong := false
			for _, f := range checkFiles(loaded, time.Now()) {
				switch f.severity {
				case warning:
					fmt.Fprintf(a.stderr, "warning: %v\n", f.Error)
				case missing:
					fmt.Fprintf(a.stderr, "warning: %v; the controller will not start without it\n", f.Error)
				default:
					wrong = true
					fmt.Fprintln(a.stderr, f.Error)
				}
			}
			if wrong {
				return &exitError{status: exitFailed}
			}
			networks := 0
			for _, n := range loaded.Networks {
				if !n.Implicit {
					networks++
				}
			}
			_, err = fmt.Fprintf(a.stdout, "%s: ok (%s, %s, %s, %s)\n", args[0], count(networks, "network"),
				count(len(loaded.Switches), "switch"), count(len(loaded.Hosts), "host"), count(len(loaded.Probes),
					"probe"))
			return err
		},
	}
}

// count formats a number of things.
func count(n int, thing string) string {
	switch {
	case n == 1:
	case thing == "switch":
		thing += "es"
	default:
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
