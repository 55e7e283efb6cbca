# What `cmake --install` puts under a prefix: programs, libraries, the header, the Lua files, and how others find them:
# moonpool.pc and a CMake package. Nothing of it names the prefix, so the whole may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(mp_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/moonpool)

foreach(library moonpool_shared moonpool_static)
	target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
	# An instrumented library is of use to instrumented programs only.
	target_link_options(${library} INTERFACE ${mp_sanitizers})
endforeach()

install(TARGETS moonpool)
install(TARGETS moonpool_shared EXPORT moonpool-shared)
install(TARGETS moonpool_static mp_libraries EXPORT moonpool-static) # apart: who links it needs the packages of its libraries, too
if(TARGET moonpool_nginx)
	install(TARGETS moonpool_nginx DESTINATION ${CMAKE_INSTALL_LIBDIR}/nginx/modules)
endif()
install(FILES runtime/moonpool.h runtime/moonpool_session.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY lua policies DESTINATION ${CMAKE_INSTALL_DATADIR}/moonpool)

foreach(kind shared static)
	install(EXPORT moonpool-${kind} NAMESPACE moonpool:: DESTINATION ${mp_cmake_dir})
endforeach()
configure_package_config_file(runtime/moonpool-config.cmake.in moonpool-config.cmake
	INSTALL_DESTINATION ${mp_cmake_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(moonpool-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/moonpool-config.cmake ${PROJECT_BINARY_DIR}/moonpool-config-version.cmake
	DESTINATION ${mp_cmake_dir})

file(RELATIVE_PATH mp_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" mp_up ${mp_up})
string(JOIN " " mp_pc_flags ${mp_sanitizers})
list(TRANSFORM mp_modules REPLACE ".*=" "" OUTPUT_VARIABLE mp_pc_modules)
string(JOIN " " mp_pc_modules ${mp_pc_modules} zlib)
configure_file(runtime/moonpool.pc.in moonpool.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/moonpool.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
