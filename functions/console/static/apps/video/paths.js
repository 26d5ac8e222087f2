/** The addresses of the pages of video projects. */

export const PROJECTS = "/console/projects";

/** @param {string} projectId */
export function projectPath(projectId) {
  return `${PROJECTS}/${projectId}`;
}
