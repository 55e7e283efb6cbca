// SPDX-License-Identifier: Apache-2.0
// The same library as a module that `load_module` loads: nginx then looks itself whether it fits, and says when a
// worker ends. It has no directives; Lua begins everything.
#include <ngx_config.h>
#include <ngx_core.h>

#include "nginx/pump.h"

static void end_process(ngx_cycle_t *cycle)
{
	(void)cycle;
	mp_pump_end();
}

static ngx_core_module_t context = {ngx_string("moonpool"), NULL, NULL};

__attribute__((visibility("default"))) ngx_module_t ngx_moonpool_module = {
	NGX_MODULE_V1,
	&context,
	NULL, // directives
	NGX_CORE_MODULE,
	NULL, // init_master
	NULL, // init_module
	NULL, // init_process
	NULL, // init_thread
	NULL, // exit_thread
	end_process,
	NULL, // exit_master
	NGX_MODULE_V1_PADDING,
};

// What nginx looks up in a module's file.
__attribute__((visibility("default"))) ngx_module_t *ngx_modules[] = {&ngx_moonpool_module, NULL};
__attribute__((visibility("default"))) char *ngx_module_names[] = {(char *)(uintptr_t) "ngx_moonpool_module",
                                                                   NULL};
__attribute__((visibility("default"))) char *ngx_module_order[] = {NULL};
