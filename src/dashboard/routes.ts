// temporary
export function dashboardRoutes(_front: any): any { return { "/": new Response("soon") }; }
