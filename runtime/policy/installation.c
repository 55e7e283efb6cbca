// SPDX-License-Identifier: Apache-2.0
// The search goes upwards from the file this code was loaded from: a build directory lies inside the source
// tree, an installed library or program lies beside share/.
#include "policy/installation.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

static bool is_installation(const char *path)
{
	char probe[PATH_MAX];
	int len = snprintf(probe, sizeof(probe), "%s/lua/moonpool/policy/loader.lua", path);
	return len > 0 && (size_t)len < sizeof(probe) && access(probe, R_OK) == 0;
}

static bool take(const char *candidate, char *path, size_t size)
{
	size_t len = strlen(candidate);
	if (len >= size || !is_installation(candidate))
		return false;
	memcpy(path, candidate, len + 1);
	return true;
}

static bool own_file(char file[PATH_MAX])
{
	Dl_info info;
	void *here = (void *)(uintptr_t)mp_installation_find;
	if (dladdr(here, &info) != 0 && info.dli_fname != NULL && strchr(info.dli_fname, '/') != NULL &&
	    realpath(info.dli_fname, file) != NULL)
		return true;
	// A program started through PATH is known to the loader by its bare name.
	ssize_t len = readlink("/proc/self/exe", file, PATH_MAX - 1);
	if (len <= 0)
		return false;
	file[len] = '\0';
	return true;
}

int mp_installation_find(char *path, size_t size)
{
	path[0] = '\0';
	const char *set = getenv("MOONPOOL_HOME");
	if (set != NULL && set[0] != '\0')
		return take(set, path, size) ? 0 : MP_ENOTFOUND;
	char file[PATH_MAX];
	if (!own_file(file))
		return MP_ENOTFOUND;
	for (char *slash = strrchr(file, '/'); slash != NULL; slash = strrchr(file, '/')) {
		*slash = '\0';
		char shared[PATH_MAX + 32];
		snprintf(shared, sizeof(shared), "%s/share/moonpool", file);
		if (take(file, path, size) || take(shared, path, size))
			return 0;
	}
	return MP_ENOTFOUND;
}
