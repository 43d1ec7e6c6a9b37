package configparse

// enterNamespace tells whether the configured network namespace can be used.
// If not, the original's run ends there, with status 0 (grammar.md 8).
func (c *Config) enterNamespace(env *Env) bool {
	c.NoNamespace = c.Global.NetNamespace != "" && env.Enter != nil && !env.Enter(c.Global.NetNamespace)
	return !c.NoNamespace
}

// TestStatus is the exit status of -t for a configuration and its problems.
func (c *Config) TestStatus(problems []Problem) int {
	if c.NoNamespace {
		return ExitOK
	}
	return ExitStatus(problems)
}
