# The library for nginx: all of the runtime with runtime/nginx/, as ngx_moonpool_module.so, which `load_module` loads or
# Lua itself. It is built where the headers of nginx are: Debian's nginx-dev, or MP_NGINX_SOURCE.
#
# An nginx that knows nothing of sanitizers cannot load a library with them. So where the build has them, the objects of
# this library are compiled a second time, without.
set(MP_NGINX_SOURCE /usr/share/nginx/src CACHE PATH "nginx's sources, with its configure (none there: no module)")
if(NOT EXISTS ${MP_NGINX_SOURCE}/src/core/nginx.h)
	message(STATUS "nginx: no module, there are no headers in ${MP_NGINX_SOURCE} (Debian: nginx-dev)")
	return()
endif()

# nginx's configure writes the headers that say what it was built with; conf_flags has Debian's options.
set(mp_nginx_dir ${PROJECT_BINARY_DIR}/nginx)
set(mp_nginx_stamp ${mp_nginx_dir}/configured)
file(STRINGS ${MP_NGINX_SOURCE}/src/core/nginx.h mp_nginx_version REGEX "define NGINX_VERSION ")
set(mp_nginx_known "")
if(EXISTS ${mp_nginx_stamp})
	file(READ ${mp_nginx_stamp} mp_nginx_known)
endif()
if(NOT mp_nginx_known STREQUAL "${MP_NGINX_SOURCE} ${mp_nginx_version}")
	file(MAKE_DIRECTORY ${mp_nginx_dir})
	execute_process(COMMAND bash -c "NGX_CONF_FLAGS=(--with-compat --with-threads); if [ -f conf_flags ]; then . ./conf_flags; fi; \
./configure \"\${NGX_CONF_FLAGS[@]}\" --builddir='${mp_nginx_dir}/objs'"
		WORKING_DIRECTORY ${MP_NGINX_SOURCE} RESULT_VARIABLE mp_nginx_failed
		OUTPUT_FILE ${mp_nginx_dir}/configure.log ERROR_FILE ${mp_nginx_dir}/configure.log)
	if(NOT mp_nginx_failed EQUAL 0)
		message(WARNING "nginx: no module, its configure failed: see ${mp_nginx_dir}/configure.log")
		return()
	endif()
	file(WRITE ${mp_nginx_stamp} "${MP_NGINX_SOURCE} ${mp_nginx_version}")
endif()

file(GLOB mp_nginx_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/runtime/nginx/*.c)
set(mp_nginx_includes ${mp_nginx_dir}/objs)
foreach(folder core event event/modules os/unix)
	list(APPEND mp_nginx_includes ${MP_NGINX_SOURCE}/src/${folder})
endforeach()

add_library(mp_plain_flags INTERFACE)
target_compile_definitions(mp_plain_flags INTERFACE $<TARGET_PROPERTY:mp_flags,INTERFACE_COMPILE_DEFINITIONS>)
target_include_directories(mp_plain_flags INTERFACE ${PROJECT_SOURCE_DIR}/runtime)
set(mp_plain_options $<TARGET_PROPERTY:mp_flags,INTERFACE_COMPILE_OPTIONS>)
if(MP_SANITIZE)
	set(mp_plain_options "$<FILTER:${mp_plain_options},EXCLUDE,sanitize>")
	add_library(mp_plain_objects OBJECT ${mp_sources})
	set_target_properties(mp_plain_objects PROPERTIES C_VISIBILITY_PRESET hidden)
	target_compile_options(mp_plain_objects PRIVATE ${mp_plain_options})
	target_link_libraries(mp_plain_objects PRIVATE mp_plain_flags mp_libraries)
	set(mp_nginx_objects $<TARGET_OBJECTS:mp_plain_objects>)
else()
	set(mp_nginx_objects $<TARGET_OBJECTS:mp_objects>)
endif()

add_library(moonpool_nginx MODULE ${mp_nginx_sources} ${mp_nginx_objects})
set_target_properties(moonpool_nginx PROPERTIES PREFIX "" OUTPUT_NAME ngx_moonpool_module C_VISIBILITY_PRESET hidden
	LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_compile_options(moonpool_nginx PRIVATE ${mp_plain_options})
target_include_directories(moonpool_nginx SYSTEM PRIVATE ${mp_nginx_includes})
target_link_libraries(moonpool_nginx PRIVATE mp_plain_flags mp_libraries)
# LuaJIT unloads what it loaded when the handle is collected, and the worker's events would jump into nothing.
target_link_options(moonpool_nginx PRIVATE ${mp_bound} -Wl,-z,nodelete)
