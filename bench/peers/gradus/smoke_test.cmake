# Writes the file that both sides read, and runs each of our own measurements once.
set(file "${FOLDER}/peers smoke test.safetensors")
set(requests "${FOLDER}/peers smoke test.txt")
file(WRITE "${requests}"
  "train 0\nnetwork 0\nbmm 0\nforward_unrecorded 0\nforward 0\nforward_backward 0\ncreate_graph 0\nrecurrent:1 0\nrecurrent\nmemory\n")

execute_process(COMMAND "${PEER}" write "${file}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${PEER}" serve "${file}" 1 INPUT_FILE "${requests}" OUTPUT_VARIABLE answers
  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "{\"seconds\": [0-9]" times "${answers}")
list(LENGTH times count)
if(NOT count EQUAL 8 OR NOT answers MATCHES "\"4\": \"lstm T20 B1 H32\"" OR NOT answers MATCHES "{\"peak_kilobytes\": [1-9]")
  message(FATAL_ERROR "expected eight times, names and the memory, got:\n${answers}")
endif()

execute_process(COMMAND "${PEER}" serve "${FOLDER}/there is no such file" 1 INPUT_FILE "${requests}"
  ERROR_VARIABLE said RESULT_VARIABLE status OUTPUT_QUIET)
if(NOT status EQUAL 2 OR NOT said MATCHES "there is no such file")
  message(FATAL_ERROR "a missing file gave status ${status} and said: ${said}")
endif()
